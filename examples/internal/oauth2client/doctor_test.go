package oauth2client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The doctor finds no problems.
func TestDoctorFindsNothing(t *testing.T) {
	h := newHost(t)
	config := h.application(t, false, oauth2.AuthStyleInHeader)
	require.Empty(t, providertest.Diagnose(t, nil, h.url, config.ClientID))
}
