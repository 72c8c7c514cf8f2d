using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace TaskQueue.Client.Kubernetes;

/// <summary>The pod of this process, as seen by the API server. Reads nothing from the cluster and writes one annotation.</summary>
/// <param name="environment">Reads an environment variable.</param>
/// <param name="account">Folder with the credentials of the service account.</param>
internal sealed class OwnPod(Func<string, string?> environment, string account)
{
    /// <summary>Where Kubernetes mounts the credentials of the service account.</summary>
    public const string MountedAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>A scale-down removes pods with the lowest value first; a pod without the annotation counts as 0.</summary>
    private const string Annotation = "controller.kubernetes.io/pod-deletion-cost";

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly string? _host = environment("KUBERNETES_SERVICE_HOST");
    private readonly string _port = environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } port ? port : "443";
    private readonly string? _name = environment("POD_NAME");
    private readonly string? _namespace = environment("POD_NAMESPACE");
    private readonly string _token = Path.Combine(account, "token");

    /// <summary>Whether this process runs in Kubernetes.</summary>
    public bool IsInCluster => !string.IsNullOrEmpty(_host);

    /// <summary>The missing prerequisite, or null.</summary>
    public string? Missing =>
        string.IsNullOrEmpty(_name) ? "POD_NAME is not set"
        : string.IsNullOrEmpty(_namespace) ? "POD_NAMESPACE is not set"
        : !File.Exists(_token) ? $"there is no {_token}"
        : null;

    /// <summary>Writes the deletion cost. Reads token and CA each time, because they rotate.</summary>
    /// <exception cref="HttpRequestException">The API server refused, or cannot be reached.</exception>
    public async Task PatchCostAsync(int cost, CancellationToken cancellationToken)
    {
        using var cluster = new k8s.Kubernetes(await ConfigureAsync(cancellationToken));
        try
        {
            var patch = new V1Patch($"{{\"metadata\":{{\"annotations\":{{\"{Annotation}\":\"{cost}\"}}}}}}", V1Patch.PatchType.MergePatch);
            await cluster.CoreV1.PatchNamespacedPodAsync(patch, _name, _namespace, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException fault)
        {
            throw new HttpRequestException($"the API server answered {(int)fault.Response.StatusCode}", fault, fault.Response.StatusCode);
        }
    }

    private async Task<KubernetesClientConfiguration> ConfigureAsync(CancellationToken cancellationToken)
    {
        // Trusts only the cluster's CA: the library's default also trusts the machine's CAs.
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(Path.Combine(account, "ca.crt"));
        return new KubernetesClientConfiguration
        {
            Host = new UriBuilder(Uri.UriSchemeHttps, _host!, int.Parse(_port, CultureInfo.InvariantCulture)).ToString(),
            AccessToken = (await File.ReadAllTextAsync(_token, cancellationToken)).Trim(),
            HttpClientTimeout = Timeout,
            FirstMessageHandlerSetup = http =>
                (http.UseProxy, http.AllowAutoRedirect, http.SslOptions.CertificateChainPolicy) = (false, false, trust),
        };
    }
}
