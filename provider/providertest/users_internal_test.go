package providertest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/userinfo"
)

func TestCheckUsers(t *testing.T) {
	good := New(t).user
	CheckUsers(t, good, "user_ada")
	for name, tt := range map[string]struct {
		users userinfo.Lookup
		says  string
	}{
		"no user is found":   {func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound }, "is not found"},
		"the ID is left out": {func(context.Context, string) (userinfo.User, error) { return userinfo.User{Name: "Ada"}, nil }, "set User.ID"},
		"another ID":         {func(context.Context, string) (userinfo.User, error) { return userinfo.User{ID: "USER_ADA"}, nil }, "set User.ID"},
		"every user is Ada":  {func(context.Context, string) (userinfo.User, error) { return userinfo.User{ID: "user_ada"}, nil }, "return userinfo.ErrNotFound"},
		"every user exists":  {func(_ context.Context, id string) (userinfo.User, error) { return userinfo.User{ID: id}, nil }, "return userinfo.ErrNotFound"},
		"an empty user": {func(ctx context.Context, id string) (userinfo.User, error) {
			user, _ := good(ctx, id)
			return user, nil
		}, "return userinfo.ErrNotFound"},
		"the database's own error": {func(ctx context.Context, id string) (userinfo.User, error) {
			user, err := good(ctx, id)
			if errors.Is(err, userinfo.ErrNotFound) {
				err = sql.ErrNoRows
			}
			return user, err
		}, "must be userinfo.ErrNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, checkUsers(t.Context(), tt.users, "user_ada"), tt.says)
		})
	}
}
