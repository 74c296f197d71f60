package provider

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// New validates the whole Config and returns a [Provider], or an error that
// names every problem.
func New(cfg Config) (*Provider, error) {
	ownAddress := cfg.ClientIP == nil
	cfg = cfg.withDefaults()
	shown, err := pages.New(cfg.Pages, cfg.Issuer)
	if err := errors.Join(cfg.validate(), err); err != nil {
		return nil, err
	}
	issuer, err := parseIssuer(cfg.Issuer, cfg.AllowHTTP)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		cfg: cfg, records: records{cfg.Store, cfg.StoreTimeout, cfg.Now}, issuer: issuer, pages: shown, offer: newOffer(&cfg, shown.HostName()), prefix: tokenPrefix(cfg.TokenPrefix),
		secrets: newSecretVerifier(cfg.StoreTimeout), guesses: newGuesses(), failures: newFailures(), machines: newBuckets[string](), ownAddress: ownAddress,
	}
	if p.resources, err = p.newResources(); err != nil {
		return nil, err
	}
	if cfg.ClientIDDocuments != nil {
		p.documents = newDocuments(p)
	}
	if cfg.Keys != nil {
		p.keySets = newKeySets(p)
	}
	p.csrf = http.NewCrossOriginProtection()
	// A proxy may rewrite Host, so trust the issuer's origin by name.
	if err := p.csrf.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, fmt.Errorf("provider: Config.Issuer: %w", err)
	}
	return p, nil
}
