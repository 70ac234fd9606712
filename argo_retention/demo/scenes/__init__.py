"""What the demo's servers are filled with: clusters, archive rows, log objects and the settings for them.

A scene is a value: built from `now` alone (and from where the servers are), the same every time. `loading`
puts it into real servers. Nothing here decides about retention; it only sets the stage.
"""
