"""Campaigns: thousands of seeded cases of wrong, hostile and damaged input, each of which anyone can run again.

`python -m tests.campaigns` runs all there are; a campaign is a module of this folder with a `CAMPAIGN`.
"""
