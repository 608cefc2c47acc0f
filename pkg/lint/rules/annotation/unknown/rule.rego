package annotation.unknown

annotated contains ["metadata.annotations", input.metadata.annotations]

annotated contains ["spec.template.metadata.annotations", input.spec.template.metadata.annotations]

# istioctl does not look into pod templates: its code stands for the rest alone.
codes := {"metadata.annotations": ["IST0108"], "spec.template.metadata.annotations": []}

findings contains {
	"aliases": codes[path],
	"path": sprintf("%s[%q]", [path, name]),
	"message": concat("", [sprintf("Istio knows no annotation %s", [name]), hint(name)]),
} if {
	some [path, annotations] in annotated
	some name, _ in annotations
	endswith(split(name, "/")[0], "istio.io")
	not startswith(name, "internal.istio.io/")
	not mesh.annotations()[name]
}

hint(name) := sprintf("; was %s meant?", [mesh.similar(name, object.keys(mesh.annotations()))])

hint(name) := "" if not mesh.similar(name, object.keys(mesh.annotations()))
