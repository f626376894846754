"""Validates a profile and its overrides (YAML in braces) before the notebooks run."""

import sys

import yaml

from helpers import profiles

try:
    profiles.load_profile(sys.argv[1], **yaml.safe_load(sys.argv[2]))
except (ValueError, TypeError, yaml.YAMLError) as error:
    sys.exit(" ".join(str(error).split()))
