"""
Streams: bytes, holes, an end or a failure, beside the calls of a connection and in step with both of its ends.

A stream is opened by a call and carries that call's serial.  L{WireStream} is what both sides do: seen from
the inside it is an L{IStreamDuplex<pyvirt.drivers.interfaces.streams.IStreamDuplex>}, whatever is written to
it comes out of its counterpart at the peer.  Who may end it differs, so each side has a class:

 - the client decides: L{ClientStream.finish} and L{ClientStream.abort} are answered by the daemon;
 - the daemon says that its data is at an end, or that it failed: L{ServerStream}.

Pace.  Out: data leaves while the transport takes it, what remains waits here and the source is paused, so
that replies overtake it packet by packet.  In: what a sink does not take yet waits here too, and is counted
for the whole connection by L{Inflow<pyvirt.protocols.inflow.Inflow>}, which says how calls are kept going.
"""

from pyvirt.protocols._clientstream import ClientStream, openStream
from pyvirt.protocols._serverstream import ServerStream, serveStream
from pyvirt.protocols._wirestream import WireStream, takesHoles

__all__ = ["ClientStream", "ServerStream", "WireStream", "openStream", "serveStream", "takesHoles"]
