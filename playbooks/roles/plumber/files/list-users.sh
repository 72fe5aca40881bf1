# list-users.sh: the names of all accounts
getent passwd | cut -d : -f 1
