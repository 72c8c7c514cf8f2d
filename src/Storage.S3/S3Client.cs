using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace TaskQueue.Storage.S3;

/// <summary>Creates the client of the SDK: what it does by default suits Amazon's server, not all others.</summary>
internal static class S3Client
{
    private const string DefaultRegion = "us-east-1";

    /// <summary>A server that accepts no connection for so long is away.</summary>
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(10);

    public static AmazonS3Client Create(S3Options options)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle,
            Timeout = Timeout.InfiniteTimeSpan, // each try has its own
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = options.Retries,
            // Servers other than Amazon's do not know its checksums in trailers. Requests are signed with the SHA-256 of their body.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            IgnoreConfiguredEndpointUrls = true, // the endpoint is a setting of ours, and not http:// by accident
            DefaultConfigurationMode = DefaultConfigurationMode.Standard,
            DisableLogging = true,
            HttpClientFactory = new Connections(options),
        };
        if (string.IsNullOrEmpty(options.Endpoint))
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        else
            (config.ServiceURL, config.AuthenticationRegion) =
                (options.Endpoint, string.IsNullOrEmpty(options.Region) ? DefaultRegion : options.Region);
        return string.IsNullOrEmpty(options.AccessKey) ? new AmazonS3Client(config) : new AmazonS3Client(CredentialsOf(options), config);
    }

    private static AWSCredentials CredentialsOf(S3Options options) =>
        string.IsNullOrEmpty(options.SessionToken) ? new BasicAWSCredentials(options.AccessKey, options.SecretKey)
            : new SessionAWSCredentials(options.AccessKey, options.SecretKey, options.SessionToken);

    /// <summary>Connections that notice when the address of the server changes.</summary>
    private sealed class Connections(S3Options options) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) =>
            new(new Patience(options)
            {
                InnerHandler = new SocketsHttpHandler
                {
                    AllowAutoRedirect = false, // the SDK signs again
                    AutomaticDecompression = DecompressionMethods.None,
                    ConnectTimeout = options.Timeout < LongestConnect ? options.Timeout : LongestConnect,
                    PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                    UseCookies = false,
                },
            })
            { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Bounds each try of a request by what it has to send, and ends it as <see cref="HttpClient.Timeout"/> does.</summary>
    private sealed class Patience(S3Options options) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var longest = options.TimeoutOf(request.Content?.Headers.ContentLength ?? 0);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(longest);
            try
            {
                return await base.SendAsync(request, patience.Token);
            }
            catch (OperationCanceledException fault) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TaskCanceledException($"there was no answer within {longest.TotalSeconds:0.#} s",
                    new TimeoutException(fault.Message, fault), patience.Token);
            }
        }
    }
}
