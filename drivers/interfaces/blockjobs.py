"""
Long operations on a disk of a running guest.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, BlockJobInfo, DomainRef, TypedParam


class IDomainBlockJobs(Interface):
    """Long operations on a disk of a running guest."""

    def domainBlockJobAbort(dom: DomainRef, path: str, flags: int) -> Answer[None]:
        """
        End a job: give it up, or with C{PIVOT} go over to the copy.

        @param path: the disk, by its target or the path of its source.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BLOCK_JOB_ABORT_*}.
        @return: fires when the job is gone; with C{ASYNC} when it was told to end.
        """

    def domainGetBlockJobInfo(dom: DomainRef, path: str, flags: int) -> Answer[BlockJobInfo]:
        """
        Tell what job a disk is busy with and how far it is.

        @param flags: C{VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES}: bandwidth in bytes a second.
        """

    def domainBlockJobSetSpeed(
        dom: DomainRef, path: str, bandwidth: int, flags: int
    ) -> Answer[None]:
        """
        Limit a job's speed.

        @param bandwidth: MiB a second, or bytes with
            C{VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES}; 0: no limit.
        @param flags: as above.
        """

    def domainBlockPull(dom: DomainRef, path: str, bandwidth: int, flags: int) -> Answer[None]:
        """
        Start to copy all that a disk's backing files hold into its first file.

        @param bandwidth: MiB a second, or bytes with C{VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES}; 0:
            no limit.
        @param flags: as above.
        @return: fires when the job has started; events tell how it ends.
        """

    def domainBlockRebase(
        dom: DomainRef, path: str, base: str | None, bandwidth: int, flags: int
    ) -> Answer[None]:
        """
        As L{domainBlockPull} up to a certain backing file; or with C{COPY} start a copy of the
        disk.

        @param base: the file that stays the backing one, None: none; with C{COPY} where the copy
            goes.
        @param bandwidth: as in L{domainBlockPull}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BLOCK_REBASE_*}; most belong to C{COPY}.
        """

    def domainBlockCommit(
        dom: DomainRef, disk: str, base: str | None, top: str | None, bandwidth: int, flags: int
    ) -> Answer[None]:
        """
        Start to write changes back from a disk's upper files into a lower one.

        @param base: the file to write to; None: the lowest.
        @param top: the highest file whose changes are written; None: the one in use.
        @param bandwidth: MiB a second, or bytes with C{VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES};
            0: no limit.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BLOCK_COMMIT_*}.
        @return: as L{domainBlockPull}.
        """

    def domainBlockCopy(
        dom: DomainRef, path: str, destxml: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Start a copy of a disk that follows it until the job ends.

        @param destxml: a C{<disk>} element: where the copy goes.
        @param params: C{VIR_DOMAIN_BLOCK_COPY_*}, at most 16.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BLOCK_COPY_*}.
        @return: as L{domainBlockPull}.
        """

    def domainSetBlockThreshold(
        dom: DomainRef, dev: str, threshold: int, flags: int
    ) -> Answer[None]:
        """
        Ask for an event once a disk has been written so far.

        @param dev: the disk's target, with an index in brackets for one of its backing files.
        @param threshold: bytes from the start; 0: no event.
        @param flags: none yet.
        """
