package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// fieldWords explains each field of provider.Event.
var fieldWords = map[string]string{
	"Kind":          "The kind of event, from the table above.",
	"At":            "The time of the event.",
	"ApplicationID": "The application. In a `request` event: the client that authenticated, the owner of the token, or the application that sent the visitor.",
	"UserID":        "The user. This is personal data: keep it out of metrics.",
	"Machine":       "The event is about the token of a [machine](../howto/protect-your-api.md#machine-to-machine), so it has no user.",
	"GrantID":       "The grant: one sign-in on one device, or one token from `Provider.IssueToken`.",
	"WorkspaceID":   "The workspace of the grant. In `grant.revoked`: the workspace whose grants ended.",
	"Actor":         "The name that your code passed to `provider.WithActor`. The pages of package `portal` set it themselves.",
	"Request":       "The HTTP request; nil if your code called a function. Don't log it: its URL and headers can hold credentials.",
	"Err":           "The cause of a refusal.",
	"Endpoint":      "For example `token`, `authorize`, or `guard`, which is the middleware of your API.",
	"Outcome":       "`ok`, or the error code; `rate_limited` if `Config.Limit` refused the request; `client_gone` if the client hung up.",
	"Duration":      "The time that the request took. For `guard`, the time of the check alone.",
}

func fieldTable(t *testing.T) string {
	table := "| field | what it is |\n| --- | --- |\n"
	fields := reflect.VisibleFields(reflect.TypeFor[provider.Event]())
	for _, f := range fields {
		require.NotEmpty(t, fieldWords[f.Name], "add the field %s to fieldWords", f.Name)
		table += fmt.Sprintf("| `%s` | %s |\n", f.Name, fieldWords[f.Name])
	}
	require.Len(t, fieldWords, len(fields))
	return table
}

// messageWords says when each log line is written. The key is a part of the
// message.
var messageWords = map[string]string{
	"request refused":   "Latchkey rejected a request.",
	"request failed":    "Latchkey answered 500 or 503 because the store or one of your functions failed.",
	"client went away":  "The client hung up. A store error at that point isn't the store's fault.",
	"a mistake in":      "`Config.Users` returned a user with another ID than the one requested.",
	"cleanup failed":    "A round of `Provider.Run` failed. It runs again within minutes.",
	"another host":      "Visitors use another host name than that of `Issuer`. Written once per process.",
	"client document":   "A client's metadata document lists a redirect URI that can't be used. The others still work.",
	"id_token_hint":     "A sign-out request had an ID token that couldn't be used.",
	"EnsureApplication": "Instances with different settings for one application keep overwriting each other.",
	"latchkey: event":   "`LogEvents` logged an event. Possible theft is WARN, `request` is DEBUG, and all others are INFO.",
}

// messageTable lists the log lines in the source of package provider.
func messageTable(t *testing.T) string {
	levels := map[string]string{"DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARN", "ERROR": "ERROR", "LOGATTRS": "depends"}
	rows := map[string]string{}
	used := map[string]bool{}
	for _, file := range sources(t) {
		for node := range ast.Preorder(file) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				continue
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			level := ""
			if ok {
				level = levels[strings.ToUpper(strings.TrimSuffix(method.Sel.Name, "Context"))]
			}
			for _, arg := range call.Args {
				message := literal(arg)
				if level == "" || !strings.HasPrefix(message, "latchkey: ") {
					continue
				}
				var keys []string
				for key := range messageWords {
					if strings.Contains(message, key) {
						keys = append(keys, key)
						used[key] = true
					}
				}
				require.Len(t, keys, 1, "add the log line %q to messageWords", message)
				rows[message] = fmt.Sprintf("| `%s` | %s | %s |\n", message, level, messageWords[keys[0]])
			}
		}
	}
	require.Len(t, used, len(messageWords))
	table := "| message | level | when |\n| --- | --- | --- |\n"
	for _, message := range slices.Sorted(maps.Keys(rows)) {
		table += rows[message]
	}
	return table
}

// sources parses package provider without its tests.
func sources(t *testing.T) []*ast.File {
	names, err := filepath.Glob("../../provider/*.go")
	require.NoError(t, err)
	var all []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		all = append(all, file)
	}
	return all
}

// literal returns a string that is written out, also in several parts, or "".
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}

// attributeWords explains the attributes of log lines.
var attributeWords = []struct{ names, words string }{
	{"time, level, msg", "What slog adds to each line."},
	{"endpoint, error, description", "The endpoint, the error code, and the message that the client got."},
	{"cause", "The reason that the client didn't get, for example that a code is spent or that `code_verifier` is wrong. Errors from your functions are logged here."},
	{"application", "The ID of the application."},
	{
		"client_id, redirect_uri, response_type, response_mode, prompt, code_challenge_method, scope, resource, workspace, grant_type",
		"The rejected value that the client sent; `client_id` and `redirect_uri` also when Latchkey couldn't redirect. Values are ASCII, escaped as in a Go string, and cut after 200 bytes.",
	},
	{"content_type", "The media type of a request body that has the wrong one."},
	{"scope_allowed, scope_needed", "The scopes that the application may request; the scopes that your API needs and the token lacks."},
	{"resource_of_token", "The resource that the token is for, if a client used it at another one."},
	{"ip", "The address that `Config.Limit` counted."},
	{"reference", "The reference on the error page that the user saw."},
	{"clerk_trace_id", "The ID of a Backend API response, which is also in its `Clerk-Trace-Id` header."},
	{"host, issuer_host", "The host name that visitors use, and that of `Issuer`."},
	{"event, actor, user, machine, grant, outcome, duration", "What `LogEvents` adds: the fields of the event."},
	{"trace_id, span_id", "What the example adds: the request's trace."},
}

// attributeTable explains every attribute that the lines of this run have.
func (w *world) attributeTable() string {
	table := "| attribute | what it is |\n| --- | --- |\n"
	for _, row := range attributeWords {
		table += fmt.Sprintf("| `%s` | %s |\n", strings.ReplaceAll(row.names, ", ", "`, `"), row.words)
	}
	for _, line := range w.logLines() {
		for key := range line {
			require.Contains(w.t, table, "`"+key+"`", "add the log attribute %s to attributeWords", key)
		}
	}
	return table
}
