"""
Disks over time: chains of images as they are found and as they change, and the jobs that change them.
"""
