"""How the zips of the Lambda functions are made, without Docker."""
