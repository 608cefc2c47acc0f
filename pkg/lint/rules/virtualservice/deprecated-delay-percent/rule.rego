package virtualservice.deprecated_delay_percent

findings contains {
	"path": sprintf("spec.http[%d].fault.delay.percent", [i]),
	"message": sprintf("fault.delay.percent is deprecated: write percentage: {value: %v}", [percent]),
} if {
	some i, route in input.spec.http
	percent := route.fault.delay.percent
}
