"""An hour of load with faults mixed in: does anything grow, and does every message add up?"""
