package provider

// Endpoints contains the URLs of a provider's endpoints. The URL of an endpoint
// that is left out is empty.
type Endpoints struct {
	Issuer string // Config.Issuer

	Authorize, Token, UserInfo, Revoke, Introspect, Register string

	Metadata    string // the authorization server metadata (RFC 8414)
	Connections string // the page of connected applications

	DeviceAuthorization string // where devices ask for codes (RFC 8628)
	Device              string // the page where users enter the codes of devices

	Discovery string // the same document under its OpenID Connect name
	JWKS      string // the public keys
	Logout    string // where applications send users to sign out
}

// Endpoints returns the URLs of the endpoints, for the host's pages and tests.
func (p *Provider) Endpoints() Endpoints {
	at := func(path string) string {
		if path == leaveOut {
			return ""
		}
		return p.cfg.Issuer + path
	}
	paths := p.cfg.Paths
	e := Endpoints{
		Issuer: p.cfg.Issuer, Authorize: at(paths.Authorize), Token: at(paths.Token), UserInfo: at(paths.UserInfo),
		Revoke: at(paths.Revoke), Introspect: at(paths.Introspect), Connections: at(paths.Connections),
		DeviceAuthorization: at(paths.DeviceAuthorization), Device: at(paths.Device),
		JWKS: at(paths.JWKS), Logout: at(paths.Logout),
	}
	if p.registers() {
		e.Register = at(paths.Register)
	}
	if !paths.NoMetadata {
		e.Metadata = p.issuer.Scheme + "://" + p.issuer.Host + metadataPath + p.issuer.Path
		if p.cfg.OpenID != nil {
			e.Discovery = p.cfg.Issuer + discoveryPath
		}
	}
	return e
}

// InstanceID returns Config.InstanceID, or its default.
func (p *Provider) InstanceID() string { return p.cfg.InstanceID }

// metadataPath is where RFC 8414 section 3 puts the document: before the path
// of the issuer.
const metadataPath = "/.well-known/oauth-authorization-server"

// discoveryPath is where OpenID Connect Discovery section 4 puts the same
// document: after the path of the issuer.
const discoveryPath = "/.well-known/openid-configuration"

// Names of endpoints, for Config.Limit.
const (
	endpointRevoke     = "revoke"
	endpointIntrospect = "introspect"
	endpointRegister   = "register"
	endpointDocument   = "document" // fetching a client's document or keys
	endpointDevice     = "device"   // the page where users enter user codes

	endpointDeviceAuthorization = "device_authorization"
)

// registers reports whether applications can register themselves.
func (p *Provider) registers() bool {
	return p.cfg.Registration != nil && p.cfg.Paths.Register != leaveOut
}

// authorizePath returns the path of the authorization endpoint on the issuer's
// origin.
func (p *Provider) authorizePath() string { return p.issuer.Path + p.cfg.Paths.Authorize }

func (p *Provider) logoutPath() string { return p.issuer.Path + p.cfg.Paths.Logout }

func (p *Provider) devicePath() string { return p.issuer.Path + p.cfg.Paths.Device }
