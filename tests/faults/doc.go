// Package faults tries the provider, over every store there is, in what a
// host goes through in production: a database that stops or never answers,
// processes that are killed in the middle of their work, and several instances
// on one database. The hosts in it are processes of their own, because nothing
// less can be killed. It has no code for others to use.
package faults
