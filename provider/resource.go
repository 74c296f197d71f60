package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// resourceMetadataPath is where RFC 9728 section 3 puts the document: before
// the path of the resource.
const resourceMetadataPath = "/.well-known/oauth-protected-resource"

// newResources prepares Config.Resources.
func (p *Provider) newResources() ([]*ProtectedResource, error) {
	var resources []*ProtectedResource
	for _, c := range p.cfg.Resources {
		u, err := parseIssuer(c.URL, p.cfg.AllowHTTP)
		if err != nil {
			return nil, err
		}
		r := &ProtectedResource{p: p, url: c.URL, name: c.Name, scopes: p.offer.scopes, path: resourceMetadataPath + u.Path}
		r.own = u.Scheme == p.issuer.Scheme && u.Host == p.issuer.Host
		if r.name == "" {
			r.name = c.URL
		}
		if c.Scopes != nil {
			r.scopes = p.offer.scopes.Intersect(c.Scopes)
		}
		resources = append(resources, r)
	}
	return resources, nil
}

// Resource returns the entry of Config.Resources with this URL, to protect an
// API with. It panics if there is none, because no token could be issued for
// it.
func (p *Provider) Resource(url string) *ProtectedResource {
	r := p.findResource(url)
	if r == nil {
		panic(fmt.Sprintf("provider: Resource: %q is not in Config.Resources: add it there", url))
	}
	return r
}

// findResource returns the resource that a request names, or nil. Clients spell
// URLs differently; Latchkey saves the Config's spelling.
func (p *Provider) findResource(named string) *ProtectedResource {
	for _, r := range p.resources {
		if r.url == named || weburl.Same(r.url, named) {
			return r
		}
	}
	return nil
}

// resourceFor returns the resource that an application asks its user for access
// to, or nil. If an application that the host didn't create names none, it gets
// the default one, because it may not know about resources.
func (c *call) resourceFor(app store.Application, params url.Values) (*ProtectedResource, *Error) {
	asked, e := c.askedResource(params)
	if e == nil && asked == nil {
		asked = c.findResource(c.cfg.defaultResource(app.Origin))
	}
	return asked, e
}

// askedResource returns the resource that a request to the authorization,
// token, or device authorization endpoint asks for (RFC 8707 section 2), or
// nil. If Config has no resources, the parameter is ignored like any unknown
// one: many clients always send it.
func (c *call) askedResource(params url.Values) (*ProtectedResource, *Error) {
	named := params[resourceParam]
	switch {
	case len(c.resources) == 0 || len(named) == 0:
		return nil, nil
	case len(named) > 1:
		return nil, refuse(codeInvalidTarget, "The request names more than one resource: ask for tokens for one at a time.").with("resource", strings.Join(named, " "))
	}
	r := c.findResource(named[0])
	if r == nil {
		return nil, refuse(codeInvalidTarget, "The resource is not known here: use the URL that its metadata document gives as resource.").with("resource", named[0])
	}
	return r, nil
}

// identifier returns the resource's URL for the store, or "" for none.
func (r *ProtectedResource) identifier() string {
	if r == nil {
		return ""
	}
	return r.url
}

// understood returns the scopes that the resource understands.
func (r *ProtectedResource) understood(s scopes.Set) scopes.Set {
	if r == nil {
		return s
	}
	return s.Intersect(r.scopes)
}

// read reads the scope parameter of an application that asks a user for access.
// An application of the host knows its scopes, so it is refused if it asks for
// more. Others ask for everything in the metadata, and get what they may have
// (RFC 6749 section 3.3). extra has the protocol's scopes.
func (o *offer) read(app store.Application, resource *ProtectedResource, text string) (granted, extra scopes.Set, e *Error) {
	asked, extra, e := o.parseAsked(text)
	if e != nil {
		return nil, nil, e
	}
	may := o.mayAskFor(app)
	if extra.Has(openID) && len(asked) == 0 {
		return nil, extra, nil // It only asks who the user is.
	}
	if len(asked) == 0 {
		asked = resource.understood(may.Intersect(app.Scopes)) // Scopes that Config no longer offers are not an error.
	}
	if len(asked) == 0 && app.Origin != store.OriginManual {
		asked = resource.understood(may) // It registered with other scopes, before it knew of the resource.
	}
	granted = may.Intersect(asked)
	if len(granted) == len(asked) || app.Origin != store.OriginManual && len(granted) > 0 {
		return granted, extra, nil
	}
	return nil, nil, refuse(codeInvalidScope, "The application may not ask for the scope %s.", describable(asked.Minus(may)[0])).with("scope", text).with("scope_allowed", may.String())
}

// readMachine reads the scope parameter of an application that asks for a token
// without a user. If it names none, it gets all its machine scopes that the
// resource understands.
func (o *offer) readMachine(app *store.Application, resource *ProtectedResource, text string) (scopes.Set, *Error) {
	asked, _, e := o.parseAsked(text)
	if e != nil {
		return nil, e
	}
	may := o.mayAskForItself(app)
	switch {
	case app.Public:
		return nil, refuse(codeUnauthorizedClient, "A public client cannot get a token without a user, because it cannot prove who it is.")
	case len(may) == 0:
		return nil, refuse(codeUnauthorizedClient, "The application cannot get a token without a user: the operator of this server must give it machine scopes.")
	case len(asked) == 0:
		asked = resource.understood(may)
	}
	if len(asked) == 0 {
		return nil, refuse(codeInvalidScope, "The resource understands none of the scopes that the application may ask for without a user.").with("scope_allowed", may.String())
	}
	if excess := asked.Minus(may); len(excess) > 0 {
		return nil, refuse(codeInvalidScope, "The application may not ask for the scope %s without a user. It may ask for: %s.", describable(excess[0]), may).
			with("scope", text).with("scope_allowed", may.String())
	}
	return may.Intersect(asked), nil
}

// MetadataURL returns the URL of the resource's metadata document (RFC 9728
// section 3). The middleware names it in each challenge.
func (r *ProtectedResource) MetadataURL() string {
	u, err := url.Parse(r.url)
	if err != nil {
		return "" // New has refused such a URL.
	}
	return u.Scheme + "://" + u.Host + r.path
}

// resourceMetadata is the document of RFC 9728 section 2.
type resourceMetadata struct {
	Resource             string     `json:"resource"`
	AuthorizationServers []string   `json:"authorization_servers"`
	Scopes               scopes.Set `json:"scopes_supported,omitempty"`
	BearerMethods        []string   `json:"bearer_methods_supported"`
	Name                 string     `json:"resource_name,omitempty"`
}

// MetadataHandler serves the resource's metadata document (RFC 9728), which
// tells clients where to get tokens. [Provider.Mount] mounts it if the resource
// is on the issuer's host. If the resource is on another host, mount it there
// at the path of MetadataURL.
func (r *ProtectedResource) MetadataHandler() http.Handler {
	m := resourceMetadata{
		Resource:             r.url,
		AuthorizationServers: []string{r.p.cfg.Issuer},
		Scopes:               r.scopes,
		BearerMethods:        []string{"header"},
	}
	if r.name != r.url {
		m.Name = r.name
	}
	document, err := json.Marshal(m)
	if err != nil {
		panic("provider: resource metadata: " + err.Error()) // Strings and lists of strings always encode.
	}
	return r.p.documentHandler("resource_metadata", document)
}
