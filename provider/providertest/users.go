package providertest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/latchkey-go/latchkey/userinfo"
)

// CheckUsers tests a host's Config.Users. It must find the user with the given
// ID, who must exist, and must not find IDs that no user has.
func CheckUsers(t testing.TB, users userinfo.Lookup, userID string) {
	t.Helper()
	if err := checkUsers(t.Context(), users, userID); err != nil {
		t.Fatalf("providertest: CheckUsers: %v", err)
	}
}

func checkUsers(ctx context.Context, users userinfo.Lookup, userID string) error {
	user, err := users(ctx, userID)
	switch {
	case err != nil:
		return errors.New("the user that must exist is not found: " + err.Error())
	case userID == "" || user.ID != userID:
		return errors.New("the returned user has another ID, or none: set User.ID to the requested ID")
	}
	for _, nobody := range []string{"", "0", rand.Text()} {
		if nobody == userID {
			continue
		}
		switch user, err := users(ctx, nobody); {
		case err == nil && user.ID == nobody && nobody == "0":
			// Some hosts have such a user.
		case err == nil:
			return errors.New("for a user who does not exist, it returns an empty or another user without an error: return userinfo.ErrNotFound")
		case !errors.Is(err, userinfo.ErrNotFound):
			return errors.New("the error for a user who does not exist must be userinfo.ErrNotFound or wrap it; any other means that the answer is unknown now: " + err.Error())
		}
	}
	return nil
}
