"""Where stages run: `local` in processes of this machine, one stage at a time."""
