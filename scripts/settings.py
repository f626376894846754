"""Validates a profile and its overrides before the notebooks run.

    python scripts/settings.py full '{seed: 1}'

`make` calls it; a mistake is named in one sentence.
"""

import argparse
import sys

import yaml

from helpers import profiles


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", help=", ".join(profiles.PROFILES))
    parser.add_argument("settings", help="settings that differ from it, YAML in braces")
    arguments = parser.parse_args()
    try:
        profiles.load_profile(arguments.profile, **yaml.safe_load(arguments.settings))
    except (ValueError, TypeError, yaml.YAMLError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
