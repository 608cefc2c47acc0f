package gateway.listener_not_served

findings contains {"path": problem.path, "message": sprintf("the listener %s is not served as written: %s (%s)", [problem.name, problem.message, problem.reason])} if {
	some problem in mesh.problems(input.id)
	problem.about == "listener"
	problem.type in {"Accepted", "Conflicted", "ResolvedRefs"}

	# A missing authority is told by ResolvedRefs, a conflict by Conflicted.
	not said_elsewhere(problem)
}

findings contains {"path": problem.path, "message": sprintf("%s (%s)", [problem.message, problem.reason])} if {
	some problem in mesh.problems(input.id)
	problem.about == "resource"
	problem.type in {"Accepted", "ResolvedRefs"}
	problem.reason != "ListenersNotValid"
}

said_elsewhere(problem) if {
	problem.type == "Accepted"
	some other in mesh.problems(input.id)
	other.about == "listener"
	other.name == problem.name
	other.type in {"Conflicted", "ResolvedRefs"}
	other.message == problem.message
}
