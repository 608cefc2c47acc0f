package annotation.deprecated

annotated contains ["metadata.annotations", input.metadata.annotations]

annotated contains ["spec.template.metadata.annotations", input.spec.template.metadata.annotations]

findings contains {
	"path": sprintf("%s[%q]", [path, name]),
	"message": sprintf("%s is deprecated and may not work in later versions of Istio", [name]),
} if {
	some [path, annotations] in annotated
	some name, _ in annotations
	mesh.annotations()[name].deprecated
}
