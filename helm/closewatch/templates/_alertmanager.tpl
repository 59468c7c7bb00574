{{/*
The shipped routes and inhibit rules in the form of the custom resource AlertmanagerConfig: the same file, read as data and
written in the resource's words, so that there is no second list of routes.
*/}}

{{/* Matchers such as severity="critical" as the resource has them, as a JSON list. */}}
{{- define "closewatch.matchers" -}}
{{- $found := list -}}
{{- range $text := . -}}
  {{- $name := regexFind "^[A-Za-z_][A-Za-z0-9_]*" $text -}}
  {{- $type := regexFind "^(=~|!~|!=|=)" (trimPrefix $name $text) -}}
  {{- $value := trimPrefix (printf "%s%s" $name $type) $text -}}
  {{- if not (and $name $type (regexMatch "^\"[^\"\\\\]*\"$" $value)) -}}
    {{- fail (printf "alertmanager/: the matcher %s is not understood" $text) -}}
  {{- end -}}
  {{- $found = append $found (dict "name" $name "matchType" $type "value" (trimAll "\"" $value)) -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* A route with those below it, as JSON. */}}
{{- define "closewatch.route" -}}
{{- $route := dict "receiver" .receiver "matchers" (include "closewatch.matchers" .matchers | fromJsonArray) -}}
{{- range $key, $name := dict "group_by" "groupBy" "group_wait" "groupWait" "group_interval" "groupInterval"
      "repeat_interval" "repeatInterval" "continue" "continue" -}}
  {{- if hasKey $ $key -}}{{- $_ := set $route $name (get $ $key) -}}{{- end -}}
{{- end -}}
{{- $below := list -}}
{{- range $each := default list .routes -}}
  {{- $below = append $below (include "closewatch.route" $each | fromJson) -}}
{{- end -}}
{{- if $below -}}{{- $_ := set $route "routes" $below -}}{{- end -}}
{{- toJson $route -}}
{{- end }}

{{/* The names of the receivers that a route and those below it name, as a JSON list. */}}
{{- define "closewatch.receivers" -}}
{{- $found := list .receiver -}}
{{- range $each := default list .routes -}}
  {{- $found = concat $found (include "closewatch.receivers" $each | fromJsonArray) -}}
{{- end -}}
{{- $found | uniq | sortAlpha | toJson -}}
{{- end }}

{{/* The route of the fragment. */}}
{{- define "closewatch.fragmentRoute" -}}
{{- $fragment := .Files.Get "alertmanager/routing-fragment.yml" | fromYaml -}}
{{- if hasKey $fragment "Error" }}{{ fail (printf "alertmanager/routing-fragment.yml: %s" $fragment.Error) }}{{ end -}}
{{- index $fragment.route.routes 0 | toJson -}}
{{- end }}
