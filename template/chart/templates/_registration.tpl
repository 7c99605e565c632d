{{/* Reads registration.yaml, lays .Values.gateway over it by key, and answers it with all defaults.
What an HTTPRoute cannot enforce is refused, so that no route which is protected elsewhere is open
here. Only `retry` and `health` are read past: a gateway's own business. */}}
{{- define "registration" -}}
{{- $written := .Files.Get "registration.yaml" | fromYaml }}
{{- with $written.Error }}{{ include "registration.refuse" (list "" .) }}{{ end }}
{{- range $key := list "routes" "upstream" }}
{{- if not (kindIs "map" (get $written $key | default dict)) }}{{ include "registration.refuse" (list $key "must be a map") }}{{ end }}
{{- end }}
{{- $all := mustMergeOverwrite $written (pick .Values.gateway "routes" "upstream" | deepCopy) }}
{{- $all = mustMerge $all (dict "calls" list "routes" dict "upstream" (dict "port" 8080 "protocol" "http")) }}
{{- include "registration.keys" (list "" $all "apiVersion calls routes service upstream") }}
{{- include "registration.keys" (list "upstream" $all.upstream "health port protocol") }}
{{- include "registration.values" (list ""
  (list "apiVersion" $all.apiVersion "svcgen.dev/v1" "svcgen.dev/v1")
  (list "service" $all.service .Chart.Name (print "the chart's name, " .Chart.Name))
  (list "calls" (toJson $all.calls) "\\[(\"[a-z][-a-z0-9]*\",?)*\\]" "a list of service names")
  (list "upstream.port" $all.upstream.port "[1-9][0-9]{0,4}" "a port")
  (list "upstream.protocol" $all.upstream.protocol "http" "http: the chart serves nothing else yet")) }}
{{- range $name, $route := $all.routes }}
{{- include "registration.route" (list (print "routes." $name) $name $route) }}
{{- end }}
{{- range $name := keys .Values.calls | sortAlpha }}
{{- if not (has $name $all.calls) }}{{ include "registration.refuse" (list "calls" (print "lacks " $name ", whose URL stands in .Values.calls")) }}{{ end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Checks one route, then says it in an HTTPRoute's words: match, path, methods, timeout. */}}
{{- define "registration.route" -}}
{{- $where := index . 0 }}{{ $name := index . 1 }}{{ $route := index . 2 }}
{{- include "registration.keys" (list $where $route "auth exact expose methods path retry timeout") }}
{{- if eq (hasKey $route "path") (hasKey $route "exact") }}{{ include "registration.refuse" (list $where "needs path or exact, one of the two") }}{{ end }}
{{- $exact := hasKey $route "exact" }}
{{- $path := ternary $route.exact $route.path $exact | toString }}
{{- $shown := ternary (print $path ", which is the gateway's own") $path (regexMatch "^/(readyz|openapi[.]json|docs)(/|$)" $path) }}
{{- $segments := "(/([.]{3}|[.]{0,2}[-A-Za-z0-9_~!$&'()*+,;=:@])[-A-Za-z0-9._~!$&'()*+,;=:@]*)+" }}
{{- $methods := ternary $route.methods (list "GET") (hasKey $route "methods") }}
{{- $timeout := default "10s" $route.timeout }}
{{- include "registration.values" (list (print $where ".")
  (list "name" $name "[a-z]([-a-z0-9]{0,38}[a-z0-9])?" "small letters, digits and dashes")
  (list "auth" $route.auth "none" "none: the chart cannot enforce anything else yet")
  (list "expose" (default "gateway" $route.expose) "gateway|internal" "gateway or internal")
  (list (ternary "exact" "path" $exact) $shown (print $segments (ternary "/?" "" $exact)) "a path like /v1/orders")
  (list "methods" (toJson $methods) "\\[(\"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\",?)+\\]" "a list of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
  (list "timeout" $timeout ".*[1-9].*" "longer than nothing")
  (list "timeout" $timeout "([0-9]{1,5}(h|m|s|ms)){1,4}" "whole units such as 5s or 1m30s")) }}
{{- if has "GET" $methods }}{{ $methods = append $methods "HEAD" }}{{ end }}
{{- $methods = ternary (append $methods "OPTIONS" | uniq) (list "") (hasKey $route "methods") }}
{{- $match := ternary "Exact" "PathPrefix" $exact }}
{{- $_ := mergeOverwrite $route (dict "match" $match "path" $path "methods" $methods "timeout" $timeout) }}
{{- end }}

{{/* A map that has none but the known keys. */}}
{{- define "registration.keys" -}}
{{- $where := index . 0 }}{{ $map := index . 1 }}{{ $known := splitList " " (index . 2) }}
{{- if not (kindIs "map" $map) }}{{ include "registration.refuse" (list $where "must be a map") }}{{ end }}
{{- range $key := keys $map | sortAlpha }}
{{- if not (has $key $known) }}{{ include "registration.refuse" (list $where (printf "has %s, which the chart cannot enforce; it knows %s" $key (join ", " $known))) }}{{ end }}
{{- end }}
{{- end }}

{{/* Rows of field, value, the pattern of the whole value, and that in words. */}}
{{- define "registration.values" -}}
{{- $where := first . }}
{{- range rest . }}
{{- $value := index . 1 | toString }}
{{- if not (regexMatch (printf "^(%s)$" (index . 2)) $value) }}{{ include "registration.refuse" (list (print $where (index . 0)) (printf "must be %s, not %s" (index . 3) $value)) }}{{ end }}
{{- end }}
{{- end }}

{{- define "registration.refuse" -}}
{{- fail (printf "registration.yaml, with .Values.gateway over it: %s %s" (index . 0) (index . 1)) }}
{{- end }}
