"""Fetching on this host: mirrors, proxy, certificates, and a store of verified files.

`routes` says where a public URL is really asked for, `fetcher` asks, `store` keeps what came by its
checksum. Nothing else in the product downloads by itself.
"""
