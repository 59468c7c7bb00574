{{/*
What runs: one Deployment for everything, or one for each concern that is configured. Every template that belongs to a
Deployment ranges over these parts, so that both ways are the same templates.
*/}}

{{/* Kinds of targets that are asked through another target, and so in its process. All others are their own concern. */}}
{{- define "closewatch.joined" -}}
odoo: postgresql
pgbouncer: postgresql
restores: backups
{{- end }}

{{/* The parts as a JSON list of {concern, name, config, targets, settings}. */}}
{{- define "closewatch.parts" -}}
{{- $name := include "closewatch.fullname" . -}}
{{- $config := default dict .Values.config -}}
{{- $targets := default list $config.targets -}}
{{- if eq .Values.deployments "one" -}}
  {{- if .Values.concerns -}}{{- fail "concerns is for deployments: by-concern" -}}{{- end -}}
  {{- toJson (list (dict "concern" "" "name" $name "config" $config "targets" $targets "settings" dict)) -}}
{{- else -}}
  {{- if .Values.existingConfigMap -}}
    {{- fail "deployments: by-concern splits config.targets; with existingConfigMap it must be one" -}}
  {{- end -}}
  {{- if $config.include -}}
    {{- fail "deployments: by-concern splits config.targets; with config.include it must be one" -}}
  {{- end -}}
  {{- $joined := include "closewatch.joined" . | fromYaml -}}
  {{- $found := dict -}}
  {{- range $target := $targets -}}
    {{- $kind := required "config.targets: a target has no kind" $target.kind -}}
    {{- $concern := default $kind (get $joined $kind) -}}
    {{- $_ := set $found $concern (append (default list (get $found $concern)) $target) -}}
  {{- end -}}
  {{- if not $found -}}{{- fail "deployments: by-concern needs config.targets" -}}{{- end -}}
  {{- range $concern, $_ := .Values.concerns -}}
    {{- if not (hasKey $found $concern) -}}
      {{- fail (printf "concerns.%s: no target is of this concern; there are: %s" $concern (keys $found | sortAlpha | join ", ")) -}}
    {{- end -}}
  {{- end -}}
  {{- $parts := list -}}
  {{- range $concern := keys $found | sortAlpha -}}
    {{- $own := set (omit $config "targets") "targets" (get $found $concern) -}}
    {{- if not (has $concern (include "closewatch.recording" $ | fromYamlArray)) -}}{{- $own = omit $own "records" -}}{{- end -}}
    {{- $parts = append $parts (dict "concern" $concern "name" (printf "%s-%s" $name $concern) "config" $own
          "targets" (get $found $concern) "settings" (default dict (get $.Values.concerns $concern))) -}}
  {{- end -}}
  {{- toJson $parts -}}
{{- end -}}
{{- end }}

{{/* Labels by which a part's pods are found. Call with (list $ $part). */}}
{{- define "closewatch.partSelector" -}}
{{- include "closewatch.selectorLabels" (index . 0) }}
{{- with (index . 1).concern }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "closewatch.partLabels" -}}
{{- $own := include "closewatch.partSelector" . | fromYaml -}}
{{- toYaml (merge $own (include "closewatch.labels" (index . 0) | fromYaml)) -}}
{{- end }}

{{- define "closewatch.partServiceAccount" -}}
{{- $account := (index . 0).Values.serviceAccount -}}
{{- $part := index . 1 -}}
{{- if not $account.create -}}
{{- default "default" $account.name -}}
{{- else if and $account.name $part.concern -}}
{{- printf "%s-%s" $account.name $part.concern -}}
{{- else -}}
{{- default $part.name $account.name -}}
{{- end -}}
{{- end }}

{{/* The Secret whose keys are the part's passwords. */}}
{{- define "closewatch.partSecret" -}}
{{- default (index . 0).Values.existingSecret (index . 1).settings.existingSecret -}}
{{- end }}

{{/* A volume of `mounts`, always read-only. */}}
{{- define "closewatch.mountedVolume" -}}
name: {{ .name }}
{{- if .secret }}
secret:
  secretName: {{ .secret }}
  defaultMode: 0440
  {{- with .keys }}
  items:
    {{- range . }}
    - key: {{ . }}
      path: {{ . }}
    {{- end }}
  {{- end }}
{{- else if .configMap }}
configMap:
  name: {{ .configMap }}
  {{- with .keys }}
  items:
    {{- range . }}
    - key: {{ . }}
      path: {{ . }}
    {{- end }}
  {{- end }}
{{- else }}
# Read-only here too: then nobody changes the owner of the files that are in it.
persistentVolumeClaim:
  claimName: {{ .persistentVolumeClaim }}
  readOnly: true
{{- end }}
{{- end }}
