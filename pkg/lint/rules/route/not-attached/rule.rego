package route.not_attached

findings contains {"path": problem.path, "message": sprintf("this route is not attached to %s: %s (%s)", [problem.name, problem.message, problem.reason])} if {
	some problem in mesh.problems(input.id)
	problem.about == "parent"
	problem.type == "Accepted"

	# A Service that is not there is route/unknown-backend's.
	not startswith(problem.message, "parent service:")
}
