package annotation.invalid_value

annotated contains ["metadata.annotations", input.metadata.annotations]

annotated contains ["spec.template.metadata.annotations", input.spec.template.metadata.annotations]

findings contains {
	"path": sprintf("%s[%q]", [path, name]),
	"message": sprintf("%s: %s", [name, mesh.annotation_problem(name, value)]),
} if {
	some [path, annotations] in annotated
	some name, value in annotations
	is_string(value)
}
