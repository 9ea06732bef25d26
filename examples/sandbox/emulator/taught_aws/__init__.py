"""MiniStack, taught the parts of IAM, DynamoDB and STS that tenant isolation rests on, with a seam for faults."""

MINISTACK_VERSION = "1.5.33"
