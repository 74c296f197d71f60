package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// suiteCommit is the commit of the OpenID Foundation's conformance suite
// (openid-certification/conformance-suite) with these plans.
const suiteCommit = "12f2a4dac6462f8a4e95968bc7e478e02881e1a7"

// suitePlan is a plan of the suite, with its modules in order. A test has the
// name of the plan.
type suitePlan struct {
	title, name, test string
	modules           []string
}

var suitePlans = []suitePlan{
	{"Basic OP", "oidcc-basic-certification-test-plan", "TestOpenIDBasic", basicPlan},
	{"Form Post Basic OP", "oidcc-formpost-basic-certification-test-plan", "TestOpenIDFormPost", basicPlan},
	{"Config OP", "oidcc-config-certification-test-plan", "TestOpenIDConfig", []string{"oidcc-discovery-endpoint-verification"}},
	{"RP-Initiated Logout OP", "oidcc-rp-initiated-logout-certification-test-plan", "TestOpenIDLogout", logoutPlan},
}

var logoutPlan = []string{
	"oidcc-rp-initiated-logout-discovery-endpoint-verification",
	"oidcc-rp-initiated-logout",
	"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
	"oidcc-rp-initiated-logout-modified-id-token-hint",
	"oidcc-rp-initiated-logout-no-id-token-hint",
	"oidcc-rp-initiated-logout-no-params",
	"oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
	"oidcc-rp-initiated-logout-no-state",
	"oidcc-rp-initiated-logout-only-state",
	"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
	"oidcc-rp-initiated-logout-bad-id-token-hint",
}

// The plan Form Post Basic OP has the same modules as Basic OP.
var basicPlan = []string{
	"oidcc-server",
	"oidcc-response-type-missing",
	"oidcc-idtoken-signature",
	"oidcc-idtoken-unsigned",
	"oidcc-userinfo-get",
	"oidcc-userinfo-post-header",
	"oidcc-userinfo-post-body",
	"oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
	"oidcc-scope-profile",
	"oidcc-scope-email",
	"oidcc-scope-address",
	"oidcc-scope-phone",
	"oidcc-scope-all",
	"oidcc-alternate-happy-flow",
	"oidcc-display-page",
	"oidcc-display-popup",
	"oidcc-prompt-login",
	"oidcc-prompt-none-not-logged-in",
	"oidcc-prompt-none-logged-in",
	"oidcc-max-age-1",
	"oidcc-max-age-10000",
	"oidcc-ensure-request-with-unknown-parameter-succeeds",
	"oidcc-id-token-hint",
	"oidcc-login-hint",
	"oidcc-ui-locales",
	"oidcc-claims-locales",
	"oidcc-ensure-request-with-acr-values-succeeds",
	"oidcc-codereuse",
	"oidcc-codereuse-30seconds",
	"oidcc-ensure-registered-redirect-uri",
	"oidcc-ensure-post-request-succeeds",
	"oidcc-server-client-secret-post",
	"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
	"oidcc-claims-essential",
	"oidcc-ensure-request-object-with-redirect-uri",
	"oidcc-refresh-token",
	"oidcc-ensure-request-with-valid-pkce-succeeds",
}

// suiteModule is what a module of the suite checks, and the test that checks
// the same.
type suiteModule struct {
	what string
	test func(*suiteRun)

	// warns is a warning of the suite that isn't a failure.
	warns []string
}

var suiteModules = merged(flowModules, promptModules, claimModules, refusalModules, tokenModules, configModules, logoutModules)

func merged(parts ...map[string]suiteModule) map[string]suiteModule {
	all := map[string]suiteModule{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// runPlan runs all modules of a plan, each with a new browser.
func runPlan(t *testing.T, h *openIDHost, name string, formPost bool) {
	at := slices.IndexFunc(suitePlans, func(p suitePlan) bool { return p.name == name })
	require.Equal(t, t.Name(), suitePlans[at].test)
	for _, module := range suitePlans[at].modules {
		t.Run(module, func(t *testing.T) {
			m, ok := suiteModules[module]
			require.True(t, ok, "the module has no test")
			r := &suiteRun{T: t, h: h, formPost: formPost, browser: h.browser(t), client: h.first}
			m.test(r)
			require.Equal(t, m.warns, r.warnings, "warnings of the suite")
		})
	}
}

func TestOpenIDBasic(t *testing.T) {
	runPlan(t, newOpenIDHost(t), "oidcc-basic-certification-test-plan", false)
}

func TestOpenIDFormPost(t *testing.T) {
	runPlan(t, newOpenIDHost(t), "oidcc-formpost-basic-certification-test-plan", true)
}

func TestOpenIDConfig(t *testing.T) {
	runPlan(t, newOpenIDHost(t), "oidcc-config-certification-test-plan", false)
}

// TestOpenIDTable checks that each module of the plans has a test, and that
// docs/reference/openid-conformance.md says so. To update the page, run
//
//	go test ./tests/conformance -run TestOpenIDTable -update
func TestOpenIDTable(t *testing.T) {
	want := openIDTable(t)
	const path = "../../docs/reference/openid-conformance.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go test ./tests/conformance -run TestOpenIDTable -update")
}

func openIDTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# OpenID modules and their tests\n\nThe OpenID Foundation certifies providers with a "+
		"[conformance suite](https://github.com/openid-certification/conformance-suite).\n"+
		"These are the modules of its plans at commit `%.7s`, and the tests here that check the same.\nLatchkey isn't certified. "+
		"This page is generated: `go test ./tests/conformance -run TestOpenIDTable -update`.\n", suiteCommit)
	done := map[string]bool{}
	for i, plan := range suitePlans {
		titles, tests := plan.title, []string{plan.test}
		for _, other := range suitePlans[i+1:] { // which has the same modules
			if slices.Equal(plan.modules, other.modules) {
				titles += " and " + other.title
				tests = append(tests, other.test)
			}
		}
		if done[plan.modules[0]] {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\nEach module is a subtest of `%s`.\n\n| module | what it checks | where |\n| --- | --- | --- |\n", titles, strings.Join(tests, "` and `"))
		for _, name := range plan.modules {
			m, ok := suiteModules[name]
			require.True(t, ok, "the module %s has no test", name)
			done[name] = true
			what := m.what
			if len(m.warns) > 0 {
				what += " **The suite warns:** " + strings.Join(m.warns, "; ") + "."
			}
			file := sourceOf(m.test)
			fmt.Fprintf(&b, "| %s | %s | [%s](../../tests/conformance/%s) |\n", name, what, file, file)
		}
	}
	for name := range suiteModules {
		require.True(t, done[name], "%s is in none of the plans", name)
	}
	return b.String()
}

// sourceOf returns the file with a function.
func sourceOf(f func(*suiteRun)) string {
	function := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
	file, _ := function.FileLine(function.Entry())
	return filepath.Base(file)
}
