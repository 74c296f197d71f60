// Package clerktest runs Clerk's own SDKs, unmodified, against the Backend API:
// the one for Go in this process, and the one for JavaScript if Node.js is
// there. It is a module of its own, so that what it needs does not get into the
// provider's go.mod. It has no code for others to use.
package clerktest
