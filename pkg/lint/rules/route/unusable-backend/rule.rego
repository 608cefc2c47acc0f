package route.unusable_backend

findings contains {"path": problem.path, "message": sprintf("%s (%s)", [problem.message, problem.reason])} if {
	some problem in mesh.problems(input.id)
	problem.about == "parent"
	problem.type == "ResolvedRefs"
	problem.reason != "BackendNotFound"
}
