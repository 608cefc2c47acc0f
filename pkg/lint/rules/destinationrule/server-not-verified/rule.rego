package destinationrule.server_not_verified

settings contains ["spec.trafficPolicy.tls", input.spec.trafficPolicy.tls, ["IST0128"]]

settings contains [sprintf("spec.trafficPolicy.portLevelSettings[%d].tls", [i]), p.tls, ["IST0129"]] if {
	some i, p in input.spec.trafficPolicy.portLevelSettings
}

settings contains [sprintf("spec.subsets[%d].trafficPolicy.tls", [i]), s.trafficPolicy.tls, ["IST0128"]] if {
	some i, s in input.spec.subsets
}

trusted(tls) if tls.caCertificates != ""

trusted(tls) if {
	tls.credentialName != ""
	count(input.spec.workloadSelector) > 0
}

trusted(tls) if tls.insecureSkipVerify == true

findings contains {
	"path": sprintf("%s.mode", [path]),
	"message": sprintf("TLS mode %s without caCertificates: whose certificates the server may show is left to the proxy", [tls.mode]),
	"aliases": aliases,
} if {
	some [path, tls, aliases] in settings
	tls.mode in {"SIMPLE", "MUTUAL"}
	not trusted(tls)
}
