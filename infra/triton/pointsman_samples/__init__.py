"""What the sample models compute, on numpy alone; importable with and without Triton."""
