package keys

import "time"

// DocumentID is the ID of the document that has the keys.
var DocumentID = documentID

// WithTokenLifetime returns the options with another token lifetime, so that a
// simulation need not run for weeks.
func (o Options) WithTokenLifetime(d time.Duration) Options {
	o.lifetime = d
	return o
}
