"""How certificates are read: from servers, files and secrets; parsed and judged without trusting them."""
