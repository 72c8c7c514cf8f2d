using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace TaskQueue.Client.Kubernetes;

/// <summary>The pod that this process runs in, as the API server knows it. It reads nothing of the cluster and writes one annotation.</summary>
/// <param name="environment">Reads an environment variable.</param>
/// <param name="account">Folder with the credentials of the service account.</param>
internal sealed class OwnPod(Func<string, string?> environment, string account)
{
    /// <summary>Where Kubernetes mounts the credentials of the service account.</summary>
    public const string MountedAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>Of the pods that could go, a scale-down takes those with the lowest first; a pod without it counts as 0.</summary>
    private const string Annotation = "controller.kubernetes.io/pod-deletion-cost";

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly string? _host = environment("KUBERNETES_SERVICE_HOST");
    private readonly string _port = environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } port ? port : "443";
    private readonly string? _name = environment("POD_NAME");
    private readonly string? _namespace = environment("POD_NAMESPACE");
    private readonly string _token = Path.Combine(account, "token");

    /// <summary>Whether this process runs in Kubernetes.</summary>
    public bool IsInCluster => !string.IsNullOrEmpty(_host);

    /// <summary>What is missing to publish anything, or null.</summary>
    public string? Missing =>
        string.IsNullOrEmpty(_name) ? "POD_NAME is not set"
        : string.IsNullOrEmpty(_namespace) ? "POD_NAMESPACE is not set"
        : !File.Exists(_token) ? $"there is no {_token}"
        : null;

    /// <summary>Writes the cost. Token and CA are read each time, because they rotate.</summary>
    /// <exception cref="HttpRequestException">The API server refused, or cannot be reached.</exception>
    public async Task PatchCostAsync(int cost, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = Trust() } };
        using var http = new HttpClient(handler) { Timeout = Timeout };
        using var request = new HttpRequestMessage(HttpMethod.Patch, Address)
        {
            Content = new StringContent($"{{\"metadata\":{{\"annotations\":{{\"{Annotation}\":\"{cost}\"}}}}}}", Encoding.UTF8, new MediaTypeHeaderValue("application/merge-patch+json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(_token, cancellationToken)).Trim());
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
            throw new HttpRequestException($"the API server answered {(int)response.StatusCode}", null, response.StatusCode);
    }

    private Uri Address
    {
        get
        {
            var host = _host!.Contains(':', StringComparison.Ordinal) ? $"[{_host}]" : _host;
            return new Uri($"https://{host}:{_port}/api/v1/namespaces/{Uri.EscapeDataString(_namespace!)}/pods/{Uri.EscapeDataString(_name!)}");
        }
    }

    /// <summary>The cluster's own CA and no other.</summary>
    private X509ChainPolicy Trust()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(Path.Combine(account, "ca.crt"));
        return policy;
    }
}
