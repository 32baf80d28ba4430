package lintel

allow if {
  some role in data.roles
  role = = "clerk"
}
