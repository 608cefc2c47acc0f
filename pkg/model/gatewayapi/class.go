package gatewayapi

import gateway "sigs.k8s.io/gateway-api/apis/v1"

// Controllers are the names by which a GatewayClass asks for one of Istio's. Remote gateways belong to another cluster; waypoints and the
// east-west gateways of ambient mode take HBONE.
const (
	gatewayController  = "istio.io/gateway-controller"
	remoteController   = "istio.io/unmanaged-gateway"
	waypointController = "istio.io/mesh-controller"
	eastWestController = "istio.io/eastwest-controller"
)

// hbonePort is where ambient mode's tunnels arrive.
const hbonePort = 15008

// builtinController is the controller of a class that istiod knows without a GatewayClass, "" for others.
func builtinController(class string) string {
	switch class {
	case "istio":
		return gatewayController
	case "istio-remote":
		return remoteController
	case "istio-waypoint":
		return waypointController
	case "istio-east-west":
		return eastWestController
	}
	return ""
}

func isOurs(controller string) bool {
	switch controller {
	case gatewayController, remoteController, waypointController, eastWestController:
		return true
	}
	return false
}

// convertClasses files the classes of Istio's controllers.
func (c *conversion) convertClasses() {
	for _, r := range c.Classes {
		controller := string(r.Spec.Spec.ControllerName)
		if !isOurs(controller) {
			continue
		}
		c.classes[r.Name] = controller
		status := newStatus(r.Spec.Status.Conditions)
		status.set(accepted, valid("Accepted", "Handled by Istio controller"))
		c.report(r.Resource, status)
	}
}

// controllerOf returns the controller of a class, "" for one that is not Istio's.
func (c *conversion) controllerOf(class gateway.ObjectName) string {
	if controller, ok := c.classes[string(class)]; ok {
		return controller
	}
	return builtinController(string(class))
}

// suffixedName is how istiod names what it deploys for a Gateway.
func suffixedName(name string, class gateway.ObjectName, controller string) string {
	if controller == waypointController || controller == eastWestController {
		return name
	}
	return name + "-" + string(class)
}
