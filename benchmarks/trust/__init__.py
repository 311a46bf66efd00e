"""Is what wsload trusts true, when the load generator is held up?"""
