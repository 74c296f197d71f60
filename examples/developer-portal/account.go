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

// signOutEverywhere ends all sessions and grants of the user, except the current
// session.
func (h *host) signOutEverywhere(w http.ResponseWriter, r *http.Request, u user) {
	// End the sessions first, so that they can't create new grants.
	u = h.users.change(u.ID, func(u *user) { u.generation++ })
	h.sessions.Put(r.Context(), sessionGeneration, u.generation)
	if err := h.provider.RevokeGrants(r.Context(), provider.GrantFilter{UserID: u.ID}); err != nil {
		h.fail(w, r, err)
		return
	}
	h.done(w, r, "/settings/account", "You are signed out everywhere but here. All sign-ins and tokens of applications have ended.")
}

// closeAccount disables the user's own account. Applications that the user
// registered keep working for other users.
func (h *host) closeAccount(w http.ResponseWriter, r *http.Request, u user) {
	if err := h.disable(r.Context(), u.ID); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := h.sessions.Destroy(r.Context()); err != nil {
		h.fail(w, r, err)
		return
	}
	h.message(w, r, http.StatusOK, "Your account is closed", "You can no longer sign in to it, and no application can use it.")
}

// disable keeps a user from signing in and revokes their grants. The order
// matters: otherwise an application could get a grant between the two steps.
func (h *host) disable(ctx context.Context, id string) error {
	h.users.change(id, func(u *user) { u.closed = true; u.generation++ })
	err := h.provider.RevokeGrants(ctx, provider.GrantFilter{UserID: id})
	if err != nil {
		// Undo the first step, so that the account does not look disabled.
		h.users.change(id, func(u *user) { u.closed = false })
	}
	return err
}
