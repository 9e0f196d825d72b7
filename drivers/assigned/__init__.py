"""
Devices of the host that guests have: who has which, and what is done to them before a guest gets them and after.

L{keeper.AssignedDevices} knows all of it; drivers get at the host's one by C{OpenContext.companion(IAssignedDevices)}.
"""
