using Grpc.AspNetCore.Server.Model;
using TaskQueue.Adapters.Moab.Wire;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>The service <c>com.evrblk.moab.preview.MoabPreviewApi</c>: see Protos/moab_preview.proto.</summary>
internal sealed class MoabPreviewService
{
    /// <summary>Its RPCs.</summary>
    internal sealed class Methods : IServiceMethodProvider<MoabPreviewService>
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<MoabPreviewService> context)
        {
            var methods = new GrpcMethods<MoabPreviewService>(context, MoabGrpc.Preview);
            methods.Add(MoabRpcs.CreateQueue, WireSettings.Parser, WireRequests.ToCreateQueue, WireAnswers.Queue);
            methods.Add(MoabRpcs.GetQueue, WireName.Parser, WireRequests.ToQueue, WireAnswers.PreviewQueue);
            methods.Add(MoabRpcs.UpdateQueue, WireSettings.Parser, WireRequests.ToUpdateQueue, WireAnswers.Queue);
            methods.Add(MoabRpcs.DeleteQueue, WireName.Parser, WireRequests.ToQueue, WireAnswers.Nothing);
            methods.Add(MoabRpcs.ListQueues, WireQueueList.Parser, WireRequests.ToListQueues, WireAnswers.Queues);
            methods.Add(MoabRpcs.PurgeQueue, WireName.Parser, WireRequests.ToQueue, WireAnswers.Nothing);
            methods.Add(MoabRpcs.Enqueue, WireEnqueue.Parser, WireRequests.ToPreviewEnqueue, WireAnswers.Tasks);
            methods.Add(MoabRpcs.DequeueOfGrpc, WireDequeue.Parser, WireRequests.ToDequeue, WireAnswers.Tasks);
            methods.Add(MoabRpcs.ReportStatusOfPreview, WireReport.Parser, WireRequests.ToReport, WireAnswers.Nothing);
            methods.Add(MoabRpcs.GetTask, WireName.Parser, WireRequests.ToTask, WireAnswers.Task);
            methods.Add(MoabRpcs.DeleteTasks, WireTaskIds.Parser, WireRequests.ToDeleteTasks, WireAnswers.Nothing);
            methods.Add(MoabRpcs.RestartTasks, WireTaskIds.Parser, WireRequests.ToPreviewRestartTasks, WireAnswers.Nothing);
            methods.AddRaw(MoabRpcs.CreateSchedule, request => WireRequests.ToCreateSchedule(request, MoabNumbering.First), Schedule);
            methods.Add(MoabRpcs.GetSchedule, WireName.Parser, WireRequests.ToSchedule,
                reply => WireAnswers.Schedule(reply, MoabNumbering.First));
            methods.AddRaw(MoabRpcs.UpdateSchedule, request => WireRequests.ToUpdateSchedule(request, MoabNumbering.First), Schedule);
            methods.Add(MoabRpcs.DeleteSchedule, WireName.Parser, WireRequests.ToSchedule, WireAnswers.Nothing);
        }

        private static WireScheduleAnswer Schedule(byte[] request, MoabScheduleAnswer reply) =>
            WireAnswers.Schedule(reply, MoabNumbering.First);
    }
}
