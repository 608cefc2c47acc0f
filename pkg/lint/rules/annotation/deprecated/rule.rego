package annotation.deprecated

annotated contains ["metadata.annotations", input.metadata.annotations, object.get(input.metadata, "labels", {})]

annotated contains ["spec.template.metadata.annotations", input.spec.template.metadata.annotations, labels] if {
	labels := object.get(input.spec.template.metadata, "labels", {})
}

# The label of the same name has taken its place, and counts where both are set.
replaced(name, labels) if {
	name == "sidecar.istio.io/inject"
	labels[name]
}

# istioctl does not look into pod templates: its code stands for the rest alone.
codes := {"metadata.annotations": ["IST0135"], "spec.template.metadata.annotations": []}

findings contains {
	"aliases": codes[path],
	"path": sprintf("%s[%q]", [path, name]),
	"message": sprintf("%s is deprecated and may not work in later versions of Istio", [name]),
} if {
	some [path, annotations, labels] in annotated
	some name, _ in annotations
	mesh.annotations()[name].deprecated
	not replaced(name, labels)
}
