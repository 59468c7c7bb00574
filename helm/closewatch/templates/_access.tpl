{{/* What closewatch reaches: rights in the Kubernetes API, and ports that a NetworkPolicy must leave open. */}}

{{/*
What a part asks the Kubernetes API for, as JSON {secrets: [namespace], clusters: {namespace: [name]}, backups: [namespace],
velero: [namespace], namespaces: [all of them]}: what its targets name, and what `rbac` adds for a configuration that the
chart can't see.
*/}}
{{- define "closewatch.asks" -}}
{{- $rbac := (index . 0).Values.rbac -}}
{{- $part := index . 1 -}}
{{- $secrets := list -}}
{{- $clusters := dict -}}
{{- $backups := list -}}
{{- $velero := list -}}
{{- range $target := $part.targets -}}
  {{- if and (hasKey $target "kubernetes") (not (default dict $target.kubernetes).kubeconfig) -}}
    {{- range $each := default list $target.secrets -}}{{- $secrets = append $secrets $each.namespace -}}{{- end -}}
  {{- end -}}
  {{- with $target.cloudnativepg -}}
    {{- if not (default dict .kubernetes).kubeconfig -}}
      {{- $_ := set $clusters .namespace (append (default list (get $clusters .namespace)) .cluster | uniq) -}}
      {{- if eq (toString $target.kind) "backups" -}}{{- $backups = append $backups .namespace -}}{{- end -}}
    {{- end -}}
  {{- end -}}
  {{- with $target.velero -}}
    {{- if not (default dict .kubernetes).kubeconfig -}}{{- $velero = append $velero .namespace -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- if has $part.concern (list "" "certificates") -}}{{- $secrets = concat $secrets $rbac.tlsSecrets -}}{{- end -}}
{{- if has $part.concern (list "" "postgresql") -}}
  {{- range $namespace, $names := $rbac.cloudNativePg -}}
    {{- $_ := set $clusters $namespace (concat (default list (get $clusters $namespace)) $names | uniq) -}}
  {{- end -}}
{{- end -}}
{{- if has $part.concern (list "" "backups") -}}
  {{- $backups = concat $backups $rbac.cloudNativePgBackups -}}
  {{- $velero = concat $velero $rbac.velero -}}
{{- end -}}
{{- $secrets = compact $secrets -}}
{{- toJson (dict "secrets" $secrets "clusters" $clusters "backups" $backups "velero" $velero
      "namespaces" (concat $secrets (keys $clusters) $backups $velero | uniq | sortAlpha)) -}}
{{- end }}

{{/*
The rules of a part's Role in one namespace, as a YAML list: exactly what the code asks for. A list can't be narrowed to names.
Call with (list $asks $namespace).
*/}}
{{- define "closewatch.rights" -}}
{{- $asks := index . 0 -}}
{{- $namespace := index . 1 -}}
{{- if has $namespace $asks.secrets }}
# Kubernetes can't grant Secrets by their type: who may list them may read all of this namespace. closewatch asks for
# kubernetes.io/tls only, and keeps nothing but the certificate.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list]
{{- end }}
{{- with get $asks.clusters $namespace }}
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters]
  resourceNames:
    {{- toYaml . | nindent 4 }}
  verbs: [get]
{{- end }}
{{- if has $namespace $asks.backups }}
- apiGroups: [postgresql.cnpg.io]
  resources: [backups]
  verbs: [list]
# Where the Barman Cloud plugin is, the recovery window stands here.
- apiGroups: [barmancloud.cnpg.io]
  resources: [objectstores]
  verbs: [list]
{{- end }}
{{- if has $namespace $asks.velero }}
- apiGroups: [velero.io]
  resources: [backups, backupstoragelocations]
  verbs: [list]
{{- end }}
{{- end }}

{{/* "true" where a part needs its token. */}}
{{- define "closewatch.needsToken" -}}
{{- if (include "closewatch.asks" . | fromJson).namespaces -}}true{{- end -}}
{{- end }}

{{/*
The ports on which a part reaches what it watches, as a JSON list of text: those in the addresses of its targets, the usual
one of each kind, and networkPolicy.ports. An address may stand under any key, so the targets are searched as text.
*/}}
{{- define "closewatch.ports" -}}
{{- $part := index . 1 -}}
{{- $usual := dict "postgresql" "5432" "odoo" "5432" "pgbouncer" "6432" "redis" "6379" "certificates" "443" -}}
{{- $ports := list -}}
{{- range $target := $part.targets -}}
  {{- with get $usual (toString $target.kind) -}}{{- $ports = append $ports . -}}{{- end -}}
  {{- if $target.sentinels -}}{{- $ports = append $ports "26379" -}}{{- end -}}
  {{- range $place := list (default dict $target.s3) (dig "origin" "dump" "s3" dict $target) (dig "origin" "odoo_zip" "s3" dict $target) (dig "filestore" "archive" "s3" dict $target) -}}
    {{- if and $place (not $place.endpoint) -}}{{- $ports = append $ports "443" -}}{{- end -}}
  {{- end -}}
  {{- range $copy := default list $target.copies -}}
    {{- with $copy.syslog -}}{{- if not .port -}}{{- $ports = append $ports "514" -}}{{- end -}}{{- end -}}
  {{- end -}}
  {{- $text := toRawJson $target -}}
  {{- range $found := regexFindAll "[A-Za-z0-9._\\]-]:[0-9]{1,5}[/\"]" $text -1 -}}
    {{- $ports = append $ports (regexFind "[0-9]+" (regexFind ":[0-9]+[/\"]$" $found)) -}}
  {{- end -}}
  {{- range $found := regexFindAll "\"port\":[0-9]+" $text -1 -}}
    {{- $ports = append $ports (trimPrefix "\"port\":" $found) -}}
  {{- end -}}
  {{- range $protocol, $port := dict "postgresql" "5432" "postgresql_direct" "5432" "smtp" "25" "imap" "143" -}}
    {{- if contains (printf "\"protocol\":\"%s\"" $protocol) $text -}}{{- $ports = append $ports $port -}}{{- end -}}
  {{- end -}}
  {{- range $scheme, $port := dict "http" "80" "https" "443" -}}
    {{- if regexMatch (printf "[\":]%s://[^:/\"]+[/\"]" $scheme) $text -}}{{- $ports = append $ports $port -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- range $target := $part.targets -}}
  {{- $repository := regexFind "\"repository\":\"[a-z0-9]+:" (toRawJson $target) -}}
  {{- range $tool, $port := dict "sftp:" "22" "s3:" "443" "swift:" "443" "b2:" "443" "azure:" "443" "gs:" "443" -}}
    {{- if hasSuffix (printf "\"%s" $tool) $repository -}}{{- $ports = append $ports $port -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- if not $part.targets -}}{{- $ports = append $ports "5432" -}}{{- end -}}
{{- range $port := (index . 0).Values.networkPolicy.ports -}}{{- $ports = append $ports (toString $port) -}}{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end }}
