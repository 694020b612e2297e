"""Proves what a dataset promises, ours or anybody's, record by record and as a whole.

Needs neither Beam nor TensorFlow.
"""

from mlm_data.validation.checks import ALPHA, Check, Verdict, Verification
from mlm_data.validation.printing import print_verification
from mlm_data.validation.verification import verify

__all__ = ["ALPHA", "Check", "Verdict", "Verification", "print_verification", "verify"]
