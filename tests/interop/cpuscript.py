"""
A script of the stock binding that asks for the processor that hosts have in common: models, features, vendors, errors.
"""

SCRIPT = r"""
import itertools, libvirt, sys
libvirt.registerErrorHandler(lambda *args: None, None)
connection = libvirt.open(sys.argv[1])

def ask(documents, flags=0):
    try:
        answer = connection.baselineCPU(documents, flags)
    except libvirt.libvirtError as error:
        answer = (error.get_error_code(), error.get_error_domain(), error.get_error_level(), error.get_error_message())
    print(documents, flags, answer)

def cpu(model, features="", vendor="", arch="x86_64"):
    return "<cpu><arch>%s</arch><model>%s</model>%s%s</cpu>" % (
        arch, model, vendor and "<vendor>%s</vendor>" % vendor,
        "".join("<feature name='%s'/>" % each for each in features.split()))

models = connection.getCPUModelNames("x86_64")
for model in models:
    ask([cpu(model, "vmx svm pcid")], 1)
    ask([cpu(model, "aes"), cpu("Nehalem")])
for one, other in itertools.product(models[::5], models[1::7]):
    ask([cpu(one), cpu(other)])
for model, vendor in itertools.product(["Haswell", "EPYC", "Dhyana", "kvm64", "486"], ["Intel", "AMD", "Hygon", "Foo"]):
    ask([cpu(model, vendor=vendor)])
    ask([cpu("Nehalem", "vmx"), cpu(model, vendor=vendor)])
for flags in (1, 2, 4):
    ask([cpu("Haswell", "invtsc avx512f")], flags)
for arch, model in [("ppc64", "POWER8"), ("ppc64le", "POWER6"), ("ppc64", "z13"), ("aarch64", "x"), ("armv7l", "x"),
                    ("s390x", "z13"), ("riscv64", "x"), ("loongarch64", "x"), ("foo", "x"), ("", "x"), ("i686", "n270")]:
    for vendor in ("", "IBM", "Freescale"):
        ask([cpu(model, "sve", vendor, arch)])
        ask([cpu(model, "", vendor, arch), cpu("POWER8", "", "IBM", arch)], 1)
for inside in ["", "<topology/>", "<topology sockets='0' cores='1' threads='1'/>", "<cache/>", "<cache mode='foo'/>",
               "<cache level='9' mode='emulate'/>", "<cache mode='disable'/><cache mode='disable'/>", "<maxphysaddr/>",
               "<numa><cell/></numa>", "<microcode version='x'/>", "<signature family='6'/>", "<counter name='tsc'/>",
               "<counter name='tsc' frequency='9' scaling='x'/>", "<vendor/>", "<feature/>", "<feature name='sse3'/>",
               "<feature name='i64'/>", "<feature name='vmx'/><feature name='vmx'/>", "<feature name='aes' policy='x'/>"]:
    ask(["<cpu><arch>x86_64</arch><model>Haswell</model>%s</cpu>" % inside])
for attribute in ["match='strict'", "mode='custom'", "mode=''", "migratable='on'", "migratable='x'", "check='x'"]:
    ask(["<cpu %s><arch>x86_64</arch><model>Haswell</model></cpu>" % attribute])
for documents in [[], [""], ["<cpu"], ["<cpu/>"], ["<a/>"], ["<cpu><arch>x86_64</arch></cpu>"], [cpu("Haswell"), "<cpu/>"],
                  ["<cpu><model>Haswell</model></cpu>"], [cpu("x"), cpu("y")], [cpu("Haswell"), cpu("x", arch="ppc64")],
                  [cpu("486"), cpu("EPYC"), cpu("Haswell")], [cpu("Haswell")] * 20, [cpu("Haswell")] * 257]:
    ask(documents, 1)
"""
