package main

import (
	"context"
	"net/http"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
)

func (h *host) showAccount(w http.ResponseWriter, r *http.Request, u user) {
	connections, err := h.provider.ListConnections(r.Context(), u.ID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writePage(w, http.StatusOK, "account.html", struct {
		layout
		Email       string
		Connections []pages.Connection
	}{h.layout(r, "Your account", "account"), u.Email, connections})
}

// signOutEverywhere ends everything that acts for the user, but for the
// session that asks for it.
func (h *host) signOutEverywhere(w http.ResponseWriter, r *http.Request, u user) {
	// Sessions first: nobody else can then let an application in again.
	u = h.users.change(u.ID, func(u *user) { u.generation++ })
	h.sessions.Put(r.Context(), sessionGeneration, u.generation)
	if err := h.provider.RevokeGrants(r.Context(), provider.GrantFilter{UserID: u.ID}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.done(w, r, "/settings/account", "You are signed out everywhere but here. All sign-ins and tokens of applications have ended.")
}

// closeAccount is what happens to a user who is disabled, here at their own
// wish. The applications that they made go on working for other people.
func (h *host) closeAccount(w http.ResponseWriter, r *http.Request, u user) {
	if err := h.disable(r.Context(), u.ID); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := h.sessions.Destroy(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	h.message(w, r, http.StatusOK, "Your account is closed", "Nobody can sign in to it, and no application can use it.")
}

// disable cuts a user off: they cannot sign in any more, and no application
// can act for them. The order matters, or an application could be let in
// between the two.
func (h *host) disable(ctx context.Context, id string) error {
	h.users.change(id, func(u *user) { u.closed = true; u.generation++ })
	err := h.provider.RevokeGrants(ctx, provider.GrantFilter{UserID: id})
	if err != nil {
		// Half of it is worse than nothing: it looks done.
		h.users.change(id, func(u *user) { u.closed = false })
	}
	return err
}
