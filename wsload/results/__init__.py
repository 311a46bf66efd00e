"""The results directory: the contract between a run and everything that is made of it afterwards."""
