"""What of the chart is written from elsewhere: its schema, its copies, its manifests, its page.

`make manifests` writes it all anew; tests hold what is committed to it.
"""
