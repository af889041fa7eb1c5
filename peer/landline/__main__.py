"""``python -m landline`` is the ``landline`` command."""

from landline.cli.main import main

if __name__ == "__main__":
    main()
